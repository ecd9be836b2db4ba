//! Two institutions, their staff, a person whose record both keep, and the person's own accounts.

use mimamori_app::{Caller, CreateAs};
use mimamori_domain::{ActorId, InstitutionId, Kind, ObjectId, SubjectId};

use crate::support::{On, PASSWORD, Site, encounter, note};

/// A small made-up town in an installation of its own.
pub struct Town {
    pub site: Site,
    pub ids: Ids,
}

#[derive(Debug, Clone, Copy)]
pub struct Ids {
    pub hospital: InstitutionId,
    pub clinic: InstitutionId,
    /// Doctor of the hospital, who registered both people.
    pub hana: ActorId,
    /// Doctor of the clinic, in the care team of `subject` and by consent.
    pub jiro: ActorId,
    /// The proxy of `subject`, who is `haru`.
    pub aki: ActorId,
    pub subject: SubjectId,
    /// Somebody the clinic has nothing to do with.
    pub other: SubjectId,
    /// What `subject` permitted to the clinic.
    pub consent: ObjectId,
    /// What `subject` permitted to the clinic before, and withdrew.
    pub withdrawn: ObjectId,
    /// Temperature, confirmed and then amended: two versions.
    pub observation: ObjectId,
    /// A confirmed note.
    pub note: ObjectId,
    /// A visit, which tells a place.
    pub visit: ObjectId,
    /// A temperature of `other`.
    pub of_other: ObjectId,
}

impl Town {
    pub async fn new(on: On) -> Self {
        Self::at(Site::on(on).await).await
    }

    /// Fills an empty installation.
    pub async fn at(site: Site) -> Self {
        let operator = site.operator();
        let (hospital, clinic) =
            (site.institution("見守り病院").await, site.institution("みどり診療所").await);
        let hana = site.staff("hana", Some("doctor"), hospital, &[]).await;
        let jiro = site.staff("jiro", Some("doctor"), clinic, &[]).await;
        // An auditor, without an occupation.
        site.staff("kansa", None, hospital, &["auditor"]).await;
        let doctor = site.sign_in("hana").await;
        let subject = site.person(&doctor, "山田", "花").await;
        let other = site.person(&doctor, "佐藤", "一郎").await;
        site.app.add_citizen(&operator, "haru", "山田 花", PASSWORD, Some(subject)).await.unwrap();
        let aki = site.app.add_citizen(&operator, "aki", "山田 秋", PASSWORD, None).await.unwrap();
        site.app.add_proxy(&operator, subject, aki, None).await.unwrap();
        site.app.add_team_member(&operator, subject, Some(jiro), None).await.unwrap();
        let withdrawn = site.app.add_consent(&operator, subject, true, None, Some(clinic)).await.unwrap();
        site.app.withdraw_consent(&operator, subject, withdrawn).await.unwrap();
        let consent = site.app.add_consent(&operator, subject, true, None, Some(clinic)).await.unwrap();
        let observation = site.observation(&doctor, subject, "36.5").await.unwrap().id;
        let amended = crate::support::observation(subject, "36.6");
        site.app.update(&doctor, &Kind::of("Observation"), observation, amended.into(), 1).await.unwrap();
        let create =
            async |text: String| site.app.create(&doctor, text.into(), CreateAs::Confirmed).await.unwrap().id;
        let note = create(note(subject, "よく眠れた")).await;
        let visit = create(encounter(subject)).await;
        let of_other = create(crate::support::observation(other, "37.7")).await;
        let ids = Ids {
            hospital,
            clinic,
            hana,
            jiro,
            aki,
            subject,
            other,
            consent,
            withdrawn,
            observation,
            note,
            visit,
            of_other,
        };
        Self { site, ids }
    }

    pub async fn caller(&self, login: &str) -> Caller {
        self.site.sign_in(login).await
    }
}
